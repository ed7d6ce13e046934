// Package filter compiles filters and matches them: it is the only package that knows CEL.
//
// A filter is a CEL expression over a node. It has three values, exactly as CEL defines them: true, false, and undefined where CEL gives an
// error, which is what a missing fact makes of a comparison. `&&` and `||` absorb errors; a node matches only when the filter is true.
//
//	text ── Compile ──▶ Program ──▶ Match(record)   one node: true, false, undefined and why
//	                       └──────▶ Tree()          And, Or, Not over Atoms: what a planner turns into set algebra
//
// Parse and Terms translate what people who know MCollective type (`environment=development mysql::master /^db/ cores>=8`) into CEL, so that
// there is one language below the command line.
package filter
