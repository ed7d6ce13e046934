// Package enrol decides which key speaks for which node: join tokens, enrolment, approval, revocation, release and rotation of node keys.
//
// An identity belongs to the key that it was enrolled with, until an operator releases it. Nobody takes it over: neither a second machine with
// a token, nor the same machine with a new key that the old one did not sign. Who tries is refused, and is remembered as a claim.
//
// All is held in memory, because every message that comes in is verified by it, and is on disk before anybody is told.
package enrol
