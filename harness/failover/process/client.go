package process

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"
)

// Decision is an audit as the API tells it, in words: all that somebody who watches needs.
type Decision struct {
	Plan struct {
		Action  string   `json:"action"`
		Problem string   `json:"problem"`
		Reason  string   `json:"reason"`
		Dead    string   `json:"dead,omitempty"`
		Promote string   `json:"promote,omitempty"`
		Source  string   `json:"source,omitempty"`
		Repoint []string `json:"repoint,omitempty"`
	} `json:"plan"`
	State struct {
		Now time.Time `json:"now"`
	} `json:"state"`
	Phases struct {
		Suspected time.Time `json:"suspected,omitzero"`
		Detected  time.Time `json:"detected,omitzero"`
		Writable  time.Time `json:"writable,omitzero"`
		Following time.Time `json:"following,omitzero"`
	} `json:"phases"`
	Followers []string `json:"followers,omitempty"`
	Excluded  []struct {
		Name   string `json:"name"`
		Reason string `json:"reason"`
	} `json:"excluded,omitempty"`
	Error string `json:"error,omitempty"`
	Done  bool   `json:"done"`
}

// String is the decision on one line, without its time.
func (d Decision) String() string {
	p := d.Plan
	text := p.Action
	switch {
	case p.Promote != "" && p.Dead != "":
		text += " " + p.Promote + " in place of " + p.Dead
	case p.Action == "relocate":
		text += " " + strings.Join(p.Repoint, ", ") + " to " + p.Source
	case p.Dead != "":
		text += " " + p.Dead
	}
	if p.Problem != "" && p.Problem != "none" {
		text += ": " + p.Problem
	}
	if p.Reason != "" && p.Reason != p.Problem {
		text += " (" + p.Reason + ")"
	}
	if p.Action != "promote" && p.Action != "relocate" {
		return text
	}
	switch {
	case !d.Done:
		text += "; under way"
	case d.Error != "":
		text += "; failed: " + d.Error
	default:
		text += "; done, followed by " + strings.Join(d.Followers, ", ")
		if len(d.Followers) == 0 {
			text = strings.TrimSuffix(text, ", followed by ")
		}
	}
	for _, one := range d.Excluded {
		text += "; without " + one.Name + " (" + one.Reason + ")"
	}
	return text
}

// At is when it was decided; zero when the manager does not say.
func (d Decision) At() time.Time {
	for _, at := range []time.Time{d.State.Now, d.Phases.Detected, d.Phases.Suspected, d.Phases.Writable} {
		if !at.IsZero() {
			return at
		}
	}
	return time.Time{}
}

// askLimit bounds a question: whoever watches several things waits for none of them.
const askLimit = 2 * time.Second

// Decisions are what the manager has decided until now, oldest first.
func (r Running) Decisions(ctx context.Context) (list []Decision, err error) {
	ctx, cancel := context.WithTimeout(ctx, askLimit)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, r.API+"/audits", nil)
	if err != nil {
		return nil, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, fmt.Errorf("the manager does not answer: %w; its log is %s", err, r.Log)
	}
	defer func() { err = errors.Join(err, response.Body.Close()) }()
	body, err := io.ReadAll(response.Body)
	if err == nil {
		err = json.Unmarshal(body, &list)
	}
	if err != nil {
		return nil, fmt.Errorf("the manager answers %s: %w", response.Status, err)
	}
	slices.SortStableFunc(list, func(a, b Decision) int { return a.At().Compare(b.At()) }) // orchestrator's alerts come first
	return list, nil
}
