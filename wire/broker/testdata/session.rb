# A session of Ruby's stomp gem with a broker: session.rb PORT VERSION [CA]. It prints what it sees, one line each.
require "stomp"
require "timeout"

port, version, ca = ARGV
host = { login: "joe", passcode: "secret", host: "127.0.0.1", port: port.to_i }
host[:ssl] = Stomp::SSLParams.new(ts_files: ca, fsck: true) if ca
conn = Stomp::Connection.new(
  hosts: [host], reliable: false, parse_timeout: 10, start_timeout: 10,
  connect_headers: { "accept-version" => version, "host" => "127.0.0.1", "heart-beat" => "15000,15000" }
)
puts "connected #{conn.protocol} #{conn.hbsend_interval > 0 && conn.hbrecv_interval > 0 ? "with heart-beats" : "without"}"

read = -> { Timeout.timeout(10) { conn.receive } }
want = lambda do |command|
  frame = read.call
  abort "got #{frame.inspect}, want #{command}" unless frame && frame.command == command
  frame
end
ack = lambda do |frame, how = :ack|
  version == "1.1" ? conn.send(how, frame.headers["message-id"], "subscription" => frame.headers["subscription"]) : conn.send(how, frame.headers["ack"])
end

conn.publish("/queue/q", "first", "receipt" => "r1", "odd" => "line\nbreak \\ colon:")
puts "receipt #{want.call("RECEIPT").headers["receipt-id"]}"
conn.publish("/queue/q", "second")
conn.subscribe("/queue/q", { "id" => "q", "ack" => "client-individual", "prefetch-count" => "1" })
m = want.call("MESSAGE")
puts "queue #{m.body} #{m.headers["odd"].inspect}"
ack.call(m, :nack)
m = want.call("MESSAGE")
puts "again #{m.body} #{m.headers["redelivered"]}"
ack.call(m)
m = want.call("MESSAGE")
puts "queue #{m.body}"
ack.call(m)

%w[abort commit].each do |how|
  conn.begin(how)
  conn.publish("/queue/q", how, "transaction" => how)
  conn.send(how, how)
end
m = want.call("MESSAGE")
puts "transaction #{m.body}"
ack.call(m)

conn.publish("/queue/collected", "fact", "receipt" => "r2")
puts "receipt #{want.call("RECEIPT").headers["receipt-id"]}"
conn.unsubscribe("/queue/q", { "id" => "q", "receipt" => "r3" })
puts "receipt #{want.call("RECEIPT").headers["receipt-id"]}"
conn.begin("t")
conn.publish("/queue/collected", "fact", "transaction" => "t")
puts "error #{want.call("ERROR").headers["message"]}"
