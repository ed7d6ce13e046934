// Package house holds the tests of the whole program: the real binary, real processes, real peers, and the promises of the README.
package house
