// Package certs keeps the certificates with which a server speaks TLS: those of its own authority, made at the first start, or files.
//
// A certificate of the own authority is made anew before it ends, when the machine has got another address, and when a step of the clock has
// put it outside its time; files are read again when they have changed. All of this happens while handshakes ask for a certificate, so
// there is nothing to run, nothing to restart, and no connection that is open notices.
package certs
