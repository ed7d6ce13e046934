// The plugin hello: reads one request, and answers in lines of JSON. What it prints on standard error is its log.
package main

import (
	"encoding/json"
	"fmt"
	"os"
)

type request struct {
	Action string `json:"action"`
	Inputs struct {
		Who string `json:"who"`
	} `json:"inputs"`
}

func main() {
	var r request
	if err := json.NewDecoder(os.Stdin).Decode(&r); err != nil {
		fmt.Fprintln(os.Stderr, "the request:", err)
		return
	}
	tell := json.NewEncoder(os.Stdout)
	switch r.Action {
	case "hello":
		greeting := "Hello, " + r.Inputs.Who + "!"
		_ = tell.Encode(map[string]any{"type": "output", "text": greeting})
		_ = tell.Encode(map[string]any{"type": "result", "status": "ok", "message": greeting, "data": map[string]any{"greeting": greeting, "length": len(greeting)}})
	default:
		_ = tell.Encode(map[string]any{"type": "result", "status": "failed", "message": "this plugin has no action " + r.Action})
	}
}
