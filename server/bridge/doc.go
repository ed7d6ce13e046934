// Package bridge connects a server to a broker that is not embedded: RabbitMQ or ActiveMQ. It reads the collecting queues and acknowledges what
// the server has committed, it sends what the server says, and it tells the server when the broker is away.
package bridge
