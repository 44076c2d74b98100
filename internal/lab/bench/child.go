package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
)

// childCommand is the first argument of a process that the bench starts of
// itself, so that a server or a large heap has a process of its own.
const childCommand = "child"

// child is what such a process does. It writes one line of JSON.
func child(args []string, in io.Reader, out io.Writer) error {
	if len(args) != 3 {
		return fmt.Errorf("%s: three arguments are needed", childCommand)
	}
	n, err := strconv.Atoi(args[2])
	if err != nil {
		return err
	}
	switch args[0] {
	case "serve":
		return serve(args[1], n, in, out)
	case "grow":
		return grow(args[1], n, out)
	case "arrive":
		return arrive(args[1], n, out)
	}
	return fmt.Errorf("%s: unknown: %s", childCommand, args[0])
}

// startChild starts such a process, decodes its line, and returns how to end it.
func startChild(line any, args ...string) (end func() error, err error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	process := exec.Command(program, append([]string{childCommand}, args...)...)
	process.Stderr = os.Stderr
	in, err := process.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := process.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := process.Start(); err != nil {
		return nil, err
	}
	end = func() error { in.Close(); return process.Wait() } // it ends with its input
	if err := json.NewDecoder(out).Decode(line); err != nil {
		return nil, fmt.Errorf("%v: %w", args, errors.Join(err, end()))
	}
	return end, nil
}
