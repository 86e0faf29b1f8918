package main

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"
)

// expressions evaluates the part of GitHub's expressions that this repository's workflows use, with values by their
// full names (inputs.tier). https://docs.github.com/actions/reference/evaluate-expressions-in-workflows-and-actions
type expressions map[string]string

var expression = regexp.MustCompile(`\$\{\{(.*?)\}\}`)

// fill replaces every ${{ … }} of a text.
func (e expressions) fill(t *testing.T, text string) string {
	t.Helper()
	return expression.ReplaceAllStringFunc(text, func(whole string) string {
		return e.eval(t, expression.FindStringSubmatch(whole)[1])
	})
}

var firstOfPlan = regexp.MustCompile(`^fromJSON\((.+)\)\.include\[0\]\.(\w+)$`)

// eval evaluates || over && over == and != over a value, in parentheses or not; "" is false. As on GitHub, what is right
// of || and && is looked at only where it decides.
func (e expressions) eval(t *testing.T, text string) string {
	t.Helper()
	text = strings.TrimSpace(text)
	for _, operator := range []string{"||", "&&", "==", "!="} {
		left, right, ok := splitOutside(text, operator)
		if !ok {
			continue
		}
		a := e.eval(t, left)
		if operator == "||" && a != "" || operator == "&&" && a == "" {
			return a
		}
		b := e.eval(t, right)
		switch {
		case operator == "||", operator == "&&":
			return b
		case (a == b) == (operator == "=="):
			return "true"
		}
		return ""
	}
	if part := firstOfPlan.FindStringSubmatch(text); part != nil {
		var plan struct{ Include []map[string]string }
		if err := json.Unmarshal([]byte(e.eval(t, part[1])), &plan); err != nil || len(plan.Include) == 0 {
			t.Fatalf("%s: %v", text, err)
		}
		return plan.Include[0][part[2]]
	}
	switch {
	case strings.HasPrefix(text, "(") && strings.HasSuffix(text, ")"):
		return e.eval(t, text[1:len(text)-1])
	case strings.HasPrefix(text, "'") && strings.HasSuffix(text, "'"):
		return text[1 : len(text)-1]
	case text == "always()":
		return "true"
	case strings.HasPrefix(text, "contains(") && strings.HasSuffix(text, ")"):
		of, part, _ := strings.Cut(text[len("contains("):len(text)-1], ",")
		if strings.Contains(e.eval(t, of), e.eval(t, part)) {
			return "true"
		}
		return ""
	}
	value, ok := e[text]
	// An output that a step has not set is empty, and a step that there is none of a mistake.
	if step, _, isOutput := strings.Cut(text, ".outputs."); !ok && isOutput && e[step] != "" {
		return ""
	}
	if !ok {
		t.Fatalf("the workflows use %s, which this test knows nothing of", text)
	}
	return value
}

// splitOutside splits at the first operator that is in no parentheses and no string.
func splitOutside(text, operator string) (left, right string, ok bool) {
	depth, quoted := 0, false
	for i := range text {
		switch c := text[i]; {
		case c == '\'':
			quoted = !quoted
		case quoted:
		case c == '(':
			depth++
		case c == ')':
			depth--
		case depth == 0 && strings.HasPrefix(text[i:], operator):
			return text[:i], text[i+len(operator):], true
		}
	}
	return "", "", false
}

func TestExpressions(t *testing.T) {
	e := expressions{"inputs.a": "", "inputs.b": "x=./y", "github.event_name": "push", "steps.a": "there", "steps.a.outputs.plan": `{"include":[{"key":"k"}]}`}
	for text, want := range map[string]string{
		"a ${{ inputs.a || 'default' }} b":                                                       "a default b",
		"${{ inputs.a || ((github.event_name == 'pull_request') && 'pr' || 'full') }}":           "full",
		"${{ contains(inputs.b, '=./') }}":                                                       "true",
		"${{ github.event_name == 'push' && inputs.b || inputs.a }}/${{ inputs.a && inputs.b }}": "x=./y/",
		"${{ inputs.a != '' }}/${{ inputs.b != '' && inputs.a == '' }}":                          "/true",
		"${{ inputs.b || fromJSON(steps.a.outputs.none).include[0].key }}":                       "x=./y",
		"${{ inputs.a || fromJSON(steps.a.outputs.plan).include[0].key }}":                       "k",
		"${{ steps.a.outputs.none == 'true' && fromJSON('').include[0].key }}":                   "",
	} {
		if got := e.fill(t, text); got != want {
			t.Errorf("%s is %q, want %q", text, got, want)
		}
	}
}
