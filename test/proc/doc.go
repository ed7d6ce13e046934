// Package proc runs the program for tests that drive it as people do: it starts a process, waits until it says that it is ready, weighs it, and
// ends it, gently or as a power cut would. Page and Meters read what it serves.
package proc
