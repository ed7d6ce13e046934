// A session of npm's stompit with a broker: session.js PORT VERSION [CA]. It prints what it sees, one line each. NODE_PATH leads to stompit.
'use strict';
const fs = require('fs');
const stompit = require('stompit');

const [port, version, ca] = process.argv.slice(2);
const options = {
  host: '127.0.0.1', port: Number(port), timeout: 10000,
  connectHeaders: {'accept-version': version, host: '127.0.0.1', login: 'joe', passcode: 'secret', 'heart-beat': '15000,15000'},
};
if (ca) Object.assign(options, {ssl: true, ca: fs.readFileSync(ca)});

const say = (...words) => console.log(words.join(' '));
const fail = (what) => { console.error(what); process.exit(1); };
setTimeout(() => fail('it takes too long'), 20000).unref();

const connect = () => new Promise((done) => stompit.connect(options, (err, client) => err ? fail(err) : done(client)));
const body = (message) => new Promise((done) => message.readString('utf-8', (err, text) => err ? fail(err) : done(text)));
const send = (sender, headers, text) => new Promise((done) => sender.sendString(headers, text, {onReceipt: done}, (err) => err && fail(err)));

// inbox gives what a subscription gets, one after the other.
function inbox(client, headers) {
  const got = [], waiting = [];
  const subscription = client.subscribe(headers, (err, message) => {
    if (err) fail(err);
    waiting.length ? waiting.shift()(message) : got.push(message);
  });
  return {subscription, next: () => got.length ? Promise.resolve(got.shift()) : new Promise((done) => waiting.push(done))};
}

async function main() {
  const client = await connect();
  say('connected');
  await send(client, {destination: '/queue/q', odd: 'line\nbreak \\ colon:'}, 'first');
  say('receipt');
  await send(client, {destination: '/queue/q'}, 'second');
  const queue = inbox(client, {destination: '/queue/q', ack: 'client-individual', 'prefetch-count': '1'});
  let message = await queue.next();
  say('queue', await body(message), JSON.stringify(message.headers.odd));
  client.nack(message);
  message = await queue.next();
  say('again', await body(message), message.headers.redelivered);
  client.ack(message);
  message = await queue.next();
  say('queue', await body(message));
  client.ack(message);

  for (const how of ['abort', 'commit']) {
    const transaction = client.begin();
    transaction.send({destination: '/queue/q'}).end(how);
    transaction[how]();
  }
  message = await queue.next();
  say('transaction', await body(message));
  client.ack(message);
  queue.subscription.unsubscribe();

  await send(client, {destination: '/queue/collected'}, 'fact');
  say('receipt');
  await new Promise((done) => client.disconnect((err) => err ? fail(err) : done()));
  say('disconnected');

  const other = await connect();
  const refused = new Promise((done) => {
    other.on('error', done);
    process.once('uncaughtException', done); // with newer versions of node, stompit throws what an ERROR says
  });
  other.begin().send({destination: '/queue/collected'}).end('fact');
  say('error', (await refused).message);
}

main().catch(fail);
