// Package audit puts down who did what: in the store, and as lines of JSON in a file that rotates.
//
// An entry that one of the two does not take is in the other, is counted, and is given to the store again until it has it. Where both fail, Record
// says so, and what was about to be done is not done.
package audit
