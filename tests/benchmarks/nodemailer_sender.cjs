// nodemailer's pool as a process of its own, for the benchmark `send`; tells its run as a line of JSON.
// node nodemailer_sender.cjs INSTALLED PATTERN PORT MESSAGES CONNECTIONS compose|raw

const fs = require('node:fs');
const path = require('node:path');

const [installed, pattern, port, messages, connections, way] = process.argv.slice(2);
const nodemailer = require(path.join(installed, 'node_modules', 'nodemailer'));
const read = (name) => fs.readFileSync(path.join(pattern, name));
const html = read('message.html').toString('utf8');
const text = read('message.txt').toString('utf8');
const raw = read('message.eml');
const from = 'digest@news.frontera.example';
const count = Number(messages);

function mail(number) {
  const address = `reader.${number}@mail.example`;
  if (way === 'raw') return { envelope: { from, to: [address] }, raw };
  return {
    from: `La Frontera <${from}>`,
    to: address,
    subject: 'What the river said',
    messageId: `<${number}@news.frontera.example>`,
    headers: { 'List-Unsubscribe': `<https://letters.frontera.example/u/${number}>` },
    text: text.replaceAll('@@address@@', address),
    html: html.replaceAll('@@address@@', address),
  };
}

async function main() {
  const transport = nodemailer.createTransport({
    pool: true,
    host: '127.0.0.1',
    port: Number(port),
    secure: false,
    ignoreTLS: true,
    maxConnections: Number(connections),
    maxMessages: Infinity,
  });
  const began = process.hrtime.bigint();
  const cpu = process.cpuUsage();
  let next = 0;
  // two a connection in hand: none waits, and memory stays bounded
  const hand = async () => {
    while (next < count) await transport.sendMail(mail(next++));
  };
  await Promise.all(Array.from({ length: 2 * Number(connections) }, hand));
  transport.close();
  const took = Number(process.hrtime.bigint() - began) / 1e9;
  const used = process.cpuUsage(cpu);
  const status = fs.readFileSync('/proc/self/status', 'utf8');
  console.log(JSON.stringify({
    messages: count,
    took_s: took,
    cpu_s: (used.user + used.system) / 1e6,
    peak_mib: Number(/VmHWM:\s+(\d+)/.exec(status)[1]) / 1024,
  }));
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
