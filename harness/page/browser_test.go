package page

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// browser is a real headless Chromium that is spoken to over the DevTools protocol, by two pipes: no port is opened
// and no library needed. https://chromedevtools.github.io/devtools-protocol/
type browser struct {
	t       *testing.T
	to      *os.File
	answers chan message
	session string
	last    int
	events  []message // not yet looked at
}

type message struct {
	ID     int             `json:"id"`
	Method string          `json:"method"`
	Params json.RawMessage `json:"params"`
	Result json.RawMessage `json:"result"`
	Error  *struct {
		Message string `json:"message"`
	} `json:"error"`
}

const browserLimit = 3 * time.Minute

// openBrowser starts Chromium, or skips the test on a machine without it.
func openBrowser(t *testing.T) *browser {
	t.Helper()
	program, err := exec.LookPath("chromium")
	if err != nil {
		t.Skip("no chromium on this machine: the page is not opened in a browser (apt-get install chromium)")
	}
	down, to := pipe(t)
	from, up := pipe(t)
	profile, err := os.MkdirTemp("", "chromium")
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command(program, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
		"--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--user-data-dir="+profile, "--remote-debugging-pipe", "about:blank")
	var output bytes.Buffer
	c.ExtraFiles, c.Stdout, c.Stderr = []*os.File{down, up}, &output, &output
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	b := &browser{t: t, to: to, answers: make(chan message, 1000)}
	go b.listen(from)
	ended := make(chan error, 1)
	go func() { ended <- c.Wait() }()
	t.Cleanup(func() {
		b.send("Browser.close", nil, "")
		select {
		case <-ended:
		case <-time.After(20 * time.Second):
			_ = c.Process.Kill() // the test has said what it had to
			<-ended
		}
		if t.Failed() {
			t.Logf("chromium printed:\n%.3000s", output.String())
		}
		if err := os.RemoveAll(profile); err != nil {
			t.Error(err)
		}
	})
	if err := errors.Join(down.Close(), up.Close()); err != nil {
		t.Fatal(err)
	}
	b.attach()
	return b
}

func pipe(t *testing.T) (read, write *os.File) {
	t.Helper()
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	return read, write
}

// listen reads messages, each of which ends in a zero byte.
func (b *browser) listen(from *os.File) {
	defer close(b.answers)
	in := bufio.NewReader(from)
	for {
		text, err := in.ReadBytes(0)
		if err != nil {
			return
		}
		var m message
		if json.Unmarshal(text[:len(text)-1], &m) == nil {
			b.answers <- m
		}
	}
}

func (b *browser) send(method string, params any, session string) {
	b.t.Helper()
	b.last++
	text, err := json.Marshal(map[string]any{"id": b.last, "method": method, "params": params, "sessionId": session})
	if params == nil || session == "" {
		request := map[string]any{"id": b.last, "method": method}
		if params != nil {
			request["params"] = params
		}
		if session != "" {
			request["sessionId"] = session
		}
		text, err = json.Marshal(request)
	}
	if err != nil {
		b.t.Fatal(err)
	}
	if _, err := b.to.Write(append(text, 0)); err != nil {
		b.t.Errorf("%s: %v", method, err)
	}
}

// call sends a command and waits for its answer; events that come first are kept.
func (b *browser) call(method string, params any) json.RawMessage {
	b.t.Helper()
	b.send(method, params, b.session)
	limit := time.After(browserLimit)
	for {
		select {
		case m, ok := <-b.answers:
			switch {
			case !ok:
				b.t.Fatalf("%s: chromium is gone", method)
			case m.ID == 0:
				b.events = append(b.events, m)
			case m.ID == b.last && m.Error != nil:
				b.t.Fatalf("%s: %s", method, m.Error.Message)
			case m.ID == b.last:
				return m.Result
			}
		case <-limit:
			b.t.Fatalf("%s: no answer within %s", method, browserLimit)
		}
	}
}

// event waits for an event.
func (b *browser) event(method string) {
	b.t.Helper()
	limit := time.After(browserLimit)
	for {
		for i, m := range b.events {
			if m.Method == method {
				b.events = append(b.events[:i], b.events[i+1:]...)
				return
			}
		}
		select {
		case m, ok := <-b.answers:
			if !ok {
				b.t.Fatalf("%s: chromium is gone", method)
			}
			b.events = append(b.events, m)
		case <-limit:
			b.t.Fatalf("no event %s within %s", method, browserLimit)
		}
	}
}

func (b *browser) attach() {
	b.t.Helper()
	var target struct{ TargetID string }
	b.decode(b.call("Target.createTarget", map[string]any{"url": "about:blank"}), &target)
	var session struct{ SessionID string }
	b.decode(b.call("Target.attachToTarget", map[string]any{"targetId": target.TargetID, "flatten": true}), &session)
	b.session = session.SessionID
	b.call("Page.enable", map[string]any{})
	b.call("Log.enable", map[string]any{})
	b.call("Runtime.enable", map[string]any{})
	b.call("Network.enable", map[string]any{})
	b.call("Emulation.setFocusEmulationEnabled", map[string]any{"enabled": true})
	b.window(1280, 900)
}

func (b *browser) decode(text json.RawMessage, to any) {
	b.t.Helper()
	if err := json.Unmarshal(text, to); err != nil {
		b.t.Fatalf("%v in %s", err, text)
	}
}

func (b *browser) window(width, height int) {
	b.t.Helper()
	b.call("Emulation.setDeviceMetricsOverride", map[string]any{"width": width, "height": height, "deviceScaleFactor": 1, "mobile": false})
}

func (b *browser) media(features map[string]string) {
	b.t.Helper()
	list := []map[string]string{}
	for name, value := range features {
		list = append(list, map[string]string{"name": name, "value": value})
	}
	b.call("Emulation.setEmulatedMedia", map[string]any{"features": list})
}

// open loads a page, and says how long that took until its script had run and its layout was done.
func (b *browser) open(path string) time.Duration {
	b.t.Helper()
	absolute, err := filepath.Abs(path)
	if err != nil {
		b.t.Fatal(err)
	}
	begin := time.Now()
	b.call("Page.navigate", map[string]any{"url": "file://" + absolute})
	b.event("Page.loadEventFired")
	b.eval("document.body.offsetHeight")
	took := time.Since(begin)
	if ready := b.eval("document.documentElement.dataset.ready"); ready != "yes" {
		b.t.Fatalf("the page's script has not run (%v): %s", ready, b.complaints())
	}
	return took
}

// eval runs a script in the page, waits for what it promises, and returns its value.
func (b *browser) eval(script string) any {
	b.t.Helper()
	var result struct {
		Result           struct{ Value any }
		ExceptionDetails *struct {
			Text      string
			Exception struct{ Description string }
		}
	}
	b.decode(b.call("Runtime.evaluate", map[string]any{"expression": script, "awaitPromise": true, "returnByValue": true, "userGesture": true}), &result)
	if e := result.ExceptionDetails; e != nil {
		b.t.Fatalf("%s: %s %s", script, e.Text, e.Exception.Description)
	}
	return result.Result.Value
}

// is checks the value of a script.
func (b *browser) is(script string, want any) {
	b.t.Helper()
	if got := b.eval(script); fmt.Sprint(got) != fmt.Sprint(want) {
		b.t.Errorf("%s is %v, want %v", script, got, want)
	}
}

// until waits for a script to be true.
func (b *browser) until(script string) {
	b.t.Helper()
	deadline := time.Now().Add(browserLimit)
	for b.eval(script) != true {
		if time.Now().After(deadline) {
			b.t.Fatalf("never true: %s", script)
		}
	}
}

// key presses and releases a key.
func (b *browser) key(name string) {
	b.t.Helper()
	codes := map[string]int{"Enter": 13, "Escape": 27, "ArrowDown": 40, "ArrowUp": 38, "ArrowRight": 39, "ArrowLeft": 37, "Tab": 9}
	down := map[string]any{"type": "rawKeyDown", "key": name, "code": name, "windowsVirtualKeyCode": codes[name]}
	if name == "Enter" {
		down["type"], down["text"] = "keyDown", "\r"
	}
	if len(name) == 1 {
		down["type"], down["text"] = "keyDown", name
	}
	b.call("Input.dispatchKeyEvent", down)
	b.call("Input.dispatchKeyEvent", map[string]any{"type": "keyUp", "key": name, "code": name, "windowsVirtualKeyCode": codes[name]})
}

// tabTo goes by the Tab key to the next element that a selector matches.
func (b *browser) tabTo(selector string) {
	b.t.Helper()
	const most = 200
	for range most {
		b.key("Tab")
		if b.eval(`document.activeElement.matches("`+selector+`")`) == true {
			return
		}
	}
	b.t.Fatalf("the Tab key does not come to %s", selector)
}

// click clicks with the mouse in the middle of an element.
func (b *browser) click(selector string) {
	b.t.Helper()
	text, err := json.Marshal(selector)
	if err != nil {
		b.t.Fatal(err)
	}
	at, ok := b.eval(fmt.Sprintf(`(() => { const e = document.querySelector(%s); if (!e) return null; e.scrollIntoView({block: "center"}); const r = e.getBoundingClientRect(); return [r.x + r.width/2, r.y + r.height/2]; })()`, text)).([]any)
	if !ok {
		b.t.Fatalf("no %s on the page", selector)
	}
	for _, kind := range []string{"mousePressed", "mouseReleased"} {
		b.call("Input.dispatchMouseEvent", map[string]any{"type": kind, "x": at[0], "y": at[1], "button": "left", "clickCount": 1})
	}
}

// complaints are what the page wrote to the console, what it threw, and what it asked the network for.
func (b *browser) complaints() string {
	b.t.Helper()
	b.eval("1")
	text := ""
	for _, m := range b.events {
		switch m.Method {
		case "Log.entryAdded", "Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Page.javascriptDialogOpening":
			text += m.Method + " " + string(m.Params) + "\n"
		case "Network.requestWillBeSent":
			var sent struct {
				Request struct{ URL string }
			}
			b.decode(m.Params, &sent)
			if len(sent.Request.URL) < 5 || sent.Request.URL[:5] != "file:" {
				text += "request for " + sent.Request.URL + "\n"
			}
		}
	}
	return text
}

func (b *browser) screenshot(path string) {
	b.t.Helper()
	var shot struct{ Data string }
	b.decode(b.call("Page.captureScreenshot", map[string]any{"format": "png"}), &shot)
	png, err := base64.StdEncoding.DecodeString(shot.Data)
	if err != nil {
		b.t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		b.t.Fatal(err)
	}
	if err := os.WriteFile(path, png, 0o644); err != nil {
		b.t.Fatal(err)
	}
}
