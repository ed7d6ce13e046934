package main

import (
	"fmt"
	"io"
	"log/slog"
	"strings"
)

func logLevel(word string) (slog.Level, error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(strings.ToUpper(word))); err != nil {
		return 0, fmt.Errorf("%q is neither debug, info, warn nor error", word)
	}
	return level, nil
}

// newLog writes to w as the settings say; they have been validated.
func newLog(w io.Writer, level, format string) *slog.Logger {
	least, err := logLevel(level)
	if err != nil {
		least = slog.LevelInfo
	}
	options := &slog.HandlerOptions{Level: least}
	if format == "json" {
		return slog.New(slog.NewJSONHandler(w, options))
	}
	return slog.New(slog.NewTextHandler(w, options))
}
