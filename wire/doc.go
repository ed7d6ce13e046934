// Package wire is what agents and servers say to each other and how it travels: envelopes, signatures, destinations, facts documents with
// their patches, and the connection with its redial and spool. It speaks STOMP 1.2 over any net.Conn, and knows nothing of what messages are for.
package wire
