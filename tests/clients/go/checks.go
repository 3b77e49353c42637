package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"
)

var (
	daemonURL = os.Getenv("REPLIBRIDGE_URL")
	key       = os.Getenv("REPLIBRIDGE_KEY")
	simURL    = os.Getenv("SIM_URL")
	name      = os.Getenv("name")
)

type check struct {
	exercised, sentence string
	long                bool
	run                 func()
}

var checks []check

// add registers a check. What was exercised goes into the table of clients when all its checks passed.
func add(exercised, sentence string, run func()) {
	checks = append(checks, check{exercised, sentence, false, run})
}

// addLong registers a check that waits for something: those run side by side while the others run in turn.
func addLong(exercised, sentence string, run func()) {
	checks = append(checks, check{exercised, sentence, true, run})
}

// failure is what a check panics with, so that it ends where it failed. The line is that of the check.
type failure struct{ why string }

func fail(format string, values ...any) {
	line := 0
	for level := 1; ; level++ {
		_, file, at, ok := runtime.Caller(level)
		if !ok {
			break
		}
		if !strings.HasSuffix(file, "/checks.go") {
			line = at
			break
		}
	}
	panic(failure{fmt.Sprintf(format, values...) + fmt.Sprintf(" (line %d)", line)})
}

func equal[T any](actual, expected T, what string) {
	if !reflect.DeepEqual(actual, expected) {
		fail("%s is %#v and not %#v", what, actual, expected)
	}
}

func isTrue(condition bool, what string) {
	if !condition {
		fail("%s", what)
	}
}

func holds(text, part, what string) {
	if !strings.Contains(text, part) {
		fail("%s does not hold %q: %q", what, part, text)
	}
}

func must(err error) {
	if err != nil {
		fail("an error: %v", explained(err))
	}
}

type prediction struct {
	Status string          `json:"status"`
	Input  json.RawMessage `json:"input"`
}

// predictions is what the simulated Replicate knows of the predictions with that prompt.
func predictions(prompt string) (found []prediction) {
	for url := simURL + "/predictions"; url != ""; {
		request, err := http.NewRequest(http.MethodGet, url, nil)
		must(err)
		request.Header.Set("Authorization", "Bearer test-token")
		answer, err := http.DefaultClient.Do(request)
		must(err)
		var page struct {
			Results []prediction `json:"results"`
			Next    string       `json:"next"`
		}
		err = json.NewDecoder(answer.Body).Decode(&page)
		_ = answer.Body.Close()
		must(err)
		for _, one := range page.Results {
			if strings.Contains(string(one.Input), prompt) {
				found = append(found, one)
			}
		}
		url = page.Next
	}
	return found
}

// endsAs waits until the only prediction with that prompt has come to that end.
func endsAs(prompt, status string, patience time.Duration) {
	var seen []prediction
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		seen = predictions(prompt)
		if len(seen) == 1 && seen[0].Status == status {
			return
		}
	}
	fail("not one prediction, %s, within %s: %v", status, patience, seen)
}

var (
	printing sync.Mutex
	passed   = map[string]bool{}
)

func (one check) perform() {
	line := fmt.Sprintf("ok %s: %s", name, one.sentence)
	well := true
	defer func() {
		if why := recover(); why != nil {
			well = false
			if known, ours := why.(failure); ours {
				why = known.why
			}
			line = fmt.Sprintf("not %s: %.500s", line, strings.Join(strings.Fields(fmt.Sprint(why)), " "))
		}
		printing.Lock()
		defer printing.Unlock()
		before, known := passed[one.exercised]
		passed[one.exercised] = well && (before || !known)
		fmt.Println(line)
	}()
	one.run()
}

func runChecks(client, version string) int {
	var waiting sync.WaitGroup
	for _, one := range checks {
		if one.long {
			waiting.Go(one.perform)
		}
	}
	for _, one := range checks {
		if !one.long {
			one.perform()
		}
	}
	waiting.Wait()
	exercised := []string{}
	code := 0
	for _, one := range checks {
		if !passed[one.exercised] {
			code = 1
		} else if !slices.Contains(exercised, one.exercised) {
			exercised = append(exercised, one.exercised)
		}
	}
	writeResult(map[string]any{"client": client, "version": version, "exercised": exercised})
	return code
}

func writeResult(result map[string]any) {
	text, err := json.MarshalIndent(result, "", "  ")
	must(err)
	must(os.WriteFile(filepath.Join(os.Getenv("RESULTS"), name+".json"), text, 0o644))
}
