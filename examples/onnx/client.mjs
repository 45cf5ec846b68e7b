// Asks an exported model from JavaScript, and checks it by the receipt that came along:
//
//   samovar export titanic --format onnx -o titanic.onnx --receipt receipt.json
//   npm ci --ignore-scripts
//   node client.mjs titanic.onnx receipt.json
//
// Prints {"rows", "labels_changed", "max_relative_difference"}; exits 1 where an answer is another.

import { readFile } from "node:fs/promises";
import { InferenceSession, Tensor } from "onnxruntime-node";

const SINGLE_PRECISION = 1e-5;
const DOUBLE_PRECISION = 1e-12;

// How a column of JSON values becomes a tensor; a missing number is NaN, a missing text is empty.
const READERS = {
  float32: (values) => Float32Array.from(values, (value) => value ?? NaN),
  float64: (values) => Float64Array.from(values, (value) => value ?? NaN),
  int64: (values) => BigInt64Array.from(values, BigInt),
  bool: (values) => Uint8Array.from(values, Number),
  string: (values) => values.map((value) => value ?? ""),
};

function tensor(type, values, shape) {
  const read = READERS[type];
  if (read === undefined) throw new Error(`The model takes ${type}, which this client lacks.`);
  return new Tensor(type, read(values), shape);
}

// A model over an array has one input for all columns; one over a table has an input for each.
function feeds(session, { columns, rows }) {
  const inputs = session.inputMetadata;
  if (inputs.length === 1) {
    const table = rows.map((row) => (Array.isArray(row) ? row : [row]));
    const shape = [table.length, table[0].length];
    return { [inputs[0].name]: tensor(inputs[0].type, table.flat(), shape) };
  }
  return Object.fromEntries(
    inputs.map(({ name, type }) => {
      const values = rows.map((row) => row[columns.indexOf(name)]);
      return [name, tensor(type, values, [rows.length, 1])];
    }),
  );
}

// BigInt and typed arrays become what JSON has.
const plain = (data) => Array.from(data, (v) => (typeof v === "bigint" ? Number(v) : v));

function compare(recorded, observed, limit) {
  const isNumber = recorded.datatype.startsWith("FP");
  if (!isNumber) {
    const changed = recorded.data.filter((label, at) => label !== observed[at]).length;
    return { labels_changed: changed, max_relative_difference: 0, equal: changed === 0 };
  }
  const scale = Math.max(...recorded.data.map(Math.abs)) || 1;
  const relative = Math.max(...recorded.data.map((v, at) => Math.abs(v - observed[at]))) / scale;
  return { labels_changed: 0, max_relative_difference: relative, equal: relative <= limit };
}

const [modelPath, receiptPath] = process.argv.slice(2);
if (receiptPath === undefined) {
  console.error("usage: node client.mjs MODEL.onnx RECEIPT.json");
  process.exit(2);
}
const receipt = JSON.parse(await readFile(receiptPath, "utf8"));
const session = await InferenceSession.create(modelPath);
const outputs = await session.run(feeds(session, receipt));
const answer = outputs[session.outputNames[receipt.method === "predict" ? 0 : 1]];
const ends = [...session.inputMetadata, ...session.outputMetadata];
const isSingle = ends.some(({ type }) => type === "float32");
const limit = isSingle ? SINGLE_PRECISION : DOUBLE_PRECISION;
const { equal, ...found } = compare(receipt.outputs[0], plain(answer.data), limit);
console.log(JSON.stringify({ rows: receipt.rows.length, ...found }));
process.exit(equal ? 0 : 1);
