// Package broker is the STOMP broker that a server carries inside it.
//
// It speaks STOMP 1.1 and 1.2 over any net.Conn and keeps everything in memory. Destinations are topics (/topic/…), which reach whoever is
// subscribed at that moment, and queues (/queue/…), of which there are three kinds:
//
//	collected   taken by the server itself: a Committer keeps each message, and only then the sender gets its RECEIPT
//	transient   auto-deleted: a message goes to a subscriber that is there, or nowhere, and Publish tells which
//	plain       held, within bounds, until a subscriber acknowledges
//
// A connection costs one goroutine and, while it is idle, no buffer. A message is encoded once, whoever receives it. Nothing that one
// connection does or fails to do holds up another: what is to be sent waits in a bounded list, and a consumer that lets it fill is cut off
// and counted. What the broker needs of others, it declares as Authorizer, Committer and Presence.
package broker
