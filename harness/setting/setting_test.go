package setting

import (
	"reflect"
	"regexp"
	"testing"
)

func TestAll(t *testing.T) {
	seen := map[string]bool{}
	for _, s := range All() {
		name := s.String()
		if seen[name] {
			t.Errorf("%s is there twice", name)
		}
		seen[name] = true
		if (s.Session == nil) == (s.Server == nil) {
			t.Errorf("%s: want statements of a session or options of a server", name)
		}
		if _, err := regexp.Compile(s.Refusal); err != nil || s.Refusal == "" {
			t.Errorf("%s: how a tool refuses it: %q, %v", name, s.Refusal, err)
		}
	}
}

func TestPairs(t *testing.T) {
	differ := false
	for seed := range int64(50) {
		seen := map[string]bool{}
		pairs := Pairs(seed, All())
		for _, pair := range pairs {
			if len(pair) != 2 || !combines(pair[0], pair[1]) {
				t.Errorf("seed %d: %s do not combine", seed, Names(pair))
			}
			for _, s := range pair {
				seen[s.String()] = true
			}
		}
		for _, s := range All() {
			if !seen[s.String()] {
				t.Errorf("seed %d: %s is in no pair", seed, s)
			}
		}
		if !reflect.DeepEqual(pairs, Pairs(seed, All())) {
			t.Errorf("seed %d draws other pairs the second time", seed)
		}
		differ = differ || !reflect.DeepEqual(pairs, Pairs(seed+1, All()))
	}
	if !differ {
		t.Error("every seed draws the same pairs")
	}
}
