// A client on the TypeScript SDK v1, which knows tasks: calls a tool plainly, then as a task, and prints what came of it.
//
//     node client.mjs FOLDER URL TOOL
//
// FOLDER holds node_modules.
import { createRequire } from "node:module";

const [folder, url, tool] = process.argv.slice(2);
const need = createRequire(`${folder}/`);
const { Client } = need("@modelcontextprotocol/sdk/client/index.js");
const { StreamableHTTPClientTransport } = need("@modelcontextprotocol/sdk/client/streamableHttp.js");
const { CallToolResultSchema, ElicitRequestSchema } = need("@modelcontextprotocol/sdk/types.js");

const client = new Client({ name: "test", version: "1.0" }, { capabilities: { elicitation: { form: {} } } });
const asked = [];
client.setRequestHandler(ElicitRequestSchema, (request) => {
  asked.push(request.params.message);
  return { action: "accept", content: { which: `this one (${asked.length})` } };
});
await client.connect(new StreamableHTTPClientTransport(new URL(url)));
await client.listTools();

const told = [];
const onprogress = ({ message }) => told.push(message);
const plain = await client.callTool({ name: tool, arguments: {} }, CallToolResultSchema, { onprogress });
const seen = [];
const stream = client.experimental.tasks.callToolStream({ name: tool, arguments: {} });
for await (const message of stream) seen.push(message);
const made = seen.find(({ type }) => type === "taskCreated").task;
const listed = await client.experimental.tasks.listTasks();
console.log(
  JSON.stringify({
    plain: plain.content[0].text,
    told,
    types: [...new Set(seen.map(({ type }) => type))],
    streamed: seen.at(-1).result?.content[0].text,
    task: made.taskId,
    related: seen.at(-1).result?._meta,
    listed: listed.tasks.map(({ taskId, status }) => [taskId, status]),
    asked,
  }),
);
await client.close();
