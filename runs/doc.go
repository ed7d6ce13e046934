// Package runs decides which nodes a run asks next: their order, its pace, and what stops it. It is pure: it has no clock and sends nothing.
//
//	roster ── Order ──▶ order, fixed once ──┐
//	pace ──── NewPlan ──▶ Plan ─────────────┴─▶ Next(what is known now) ──▶ ask so many more │ wait, and why │ stop, and why
//
// All that Next wants to know are counts and moments that can be had from what is stored of a run, so a server that was killed in the middle goes
// on where it was.
package runs
