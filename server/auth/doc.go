// Package auth knows who asks: API tokens, the sessions of pages, one-time login links, and what each role may do.
//
// A secret is shown once, when it is made. What is kept is its SHA-256: a secret has 256 random bits, so nothing slower is needed, and a stolen
// database opens no door.
package auth
