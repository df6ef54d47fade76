// Runs a program on raw float32 channels in Node: node run.js JOB.json. Everything is read and written as the job says.
"use strict";
const fs = require("node:fs"), vm = require("node:vm");
const job = JSON.parse(fs.readFileSync(process.argv[2], "utf8"));
vm.runInThisContext(fs.readFileSync(job.engine, "utf8") + "\n;globalThis.Engine = Engine; globalThis.EXPORTERS = EXPORTERS; globalThis.BLOCK = BLOCK;");
const floats = (path) => { const bytes = fs.readFileSync(path); return new Float32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength >> 2); };
const inputs = job.inputs.map((channels) => channels.map(floats));
const engine = new Engine(job.program, EXPORTERS, job.samples, job.start ?? 0);
const { latency, outputs } = job.program, sizes = job.blocks ?? [BLOCK];
const results = outputs.map(({ channels }) => Array.from({ length: channels }, () => new Float32Array(job.samples)));
const hands = job.hands ?? [];
let place = job.start ?? 0;
const began = process.cpuUsage();
for (let number = 0; place < job.samples + latency; number++) {
  for (const [column, value] of hands[number] ?? []) engine.hand(column, value);
  const count = Math.min(sizes[number % sizes.length], job.samples + latency - place);
  engine.process(inputs, place, count);
  outputs.forEach(({ name }, o) => engine.output(name).forEach((one, c) => {
    for (let i = 0; i < count; i++) if (place + i >= latency && place + i < job.samples + latency) results[o][c][place + i - latency] = one[i];
  }));
  place += count;
}
const spent = process.cpuUsage(began);
results.forEach((channels, o) => channels.forEach((one, c) => fs.writeFileSync(`${job.out}.${o}.${c}`, Buffer.from(one.buffer))));
process.stdout.write(JSON.stringify({ seconds: (spent.user + spent.system) / 1e6 }));
