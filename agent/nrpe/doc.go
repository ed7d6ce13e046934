// Package nrpe answers the NRPE protocol on a node, so that an existing check_nrpe goes on asking it as before.
//
// Whoever may connect is unknown beyond the address (and the certificate, where one is wanted), so that everything is bounded: connections, the
// time that each takes, the bytes of a question. What may be asked is the node's own to say: its NRPE configuration and its policy.
package nrpe
