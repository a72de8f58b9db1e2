// Judge lets the published library of Talos say what it makes of our work: it answers one JSON request a line.
//
// Its fields are those of request; an answer is whatever the named function returns, or {"error": "..."}.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"time"
)

const maxLine = 64 << 20

// request is one line of input: what to do, and its arguments.
type request struct {
	Do       string   `json:"do"`
	Config   string   `json:"config"`
	Patches  []string `json:"patches"`
	Secrets  string   `json:"secrets"`
	Contract string   `json:"contract"`
	generation
	call
}

type answer map[string]any

var judgements = map[string]func(context.Context, request) (answer, error){
	"library":  library,
	"load":     load,
	"patch":    patch,
	"secrets":  checkSecrets,
	"generate": generated,
	"call":     called,
}

func main() {
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, maxLine)
	answers := json.NewEncoder(os.Stdout)

	for lines.Scan() {
		if err := answers.Encode(judge(lines.Bytes())); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}

	if err := lines.Err(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func judge(line []byte) (said answer) {
	defer func() { // the library of 1.13 breaks at some patches, which is an answer too
		if broke := recover(); broke != nil {
			said = answer{"error": fmt.Sprintf("panic: %v", broke)}
		}
	}()

	var asked request
	if err := json.Unmarshal(line, &asked); err != nil {
		return answer{"error": err.Error()}
	}

	do, ok := judgements[asked.Do]
	if !ok {
		return answer{"error": fmt.Sprintf("no judgement %q", asked.Do)}
	}

	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()

	said, err := do(ctx, asked)
	if err != nil {
		return answer{"error": err.Error()}
	}

	return said
}
