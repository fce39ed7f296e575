// A server with tasks of 2025-11-25, on the TypeScript SDK v1: over stdio, or over HTTP (--http; prints its URL).
//
//     node server.mjs FOLDER [--http]
//
// FOLDER holds node_modules. One tool, "research", can only be called as a task, and asks in the middle of it.
import { randomUUID } from "node:crypto";
import { createServer } from "node:http";
import { createRequire } from "node:module";

const [folder, ...flags] = process.argv.slice(2);
const need = createRequire(`${folder}/`);
const { McpServer } = need("@modelcontextprotocol/sdk/server/mcp.js");
const { StdioServerTransport } = need("@modelcontextprotocol/sdk/server/stdio.js");
const { StreamableHTTPServerTransport } = need("@modelcontextprotocol/sdk/server/streamableHttp.js");
const { InMemoryTaskStore, InMemoryTaskMessageQueue } = need("@modelcontextprotocol/sdk/experimental/tasks");
const { ElicitResultSchema } = need("@modelcontextprotocol/sdk/types.js");

const FORM = { message: "Which one?", requestedSchema: { type: "object", properties: { which: { type: "string" } } } };
const CAPABILITIES = { tools: {}, tasks: { list: {}, cancel: {}, requests: { tools: { call: {} } } } };

async function research(taskId, { taskStore, sendRequest }) {
  await taskStore.updateTaskStatus(taskId, "working", "gathering");
  await taskStore.updateTaskStatus(taskId, "input_required", "asking");
  const asked = { method: "elicitation/create", params: FORM };
  const answer = await sendRequest(asked, ElicitResultSchema, { relatedTask: { taskId } });
  await taskStore.updateTaskStatus(taskId, "working", "writing");
  const text = `found ${answer.content?.which}`;
  await taskStore.storeTaskResult(taskId, "completed", { content: [{ type: "text", text }] });
}

function serve() {
  const options = {
    capabilities: CAPABILITIES,
    taskStore: new InMemoryTaskStore(),
    taskMessageQueue: new InMemoryTaskMessageQueue(),
  };
  const server = new McpServer({ name: "researcher", version: "1.0" }, options);
  const tool = {
    async createTask(extra) {
      const task = await extra.taskStore.createTask({ ttl: 60000, pollInterval: 200 });
      research(task.taskId, extra).catch((error) => console.error(error));
      return { task };
    },
    getTask: (extra) => extra.taskStore.getTask(extra.taskId),
    getTaskResult: (extra) => extra.taskStore.getTaskResult(extra.taskId),
  };
  const definition = { description: "Find something out.", execution: { taskSupport: "required" } };
  server.experimental.tasks.registerToolTask("research", definition, tool);
  return server;
}

function listen() {
  const sessions = new Map();
  const http = createServer(async (request, response) => {
    const ident = request.headers["mcp-session-id"];
    let transport = sessions.get(ident);
    if (ident !== undefined && transport === undefined) return response.writeHead(404).end();
    if (transport === undefined) {
      transport = new StreamableHTTPServerTransport({
        sessionIdGenerator: randomUUID,
        onsessioninitialized: (opened) => sessions.set(opened, transport),
      });
      await serve().connect(transport);
    }
    return transport.handleRequest(request, response);
  });
  http.listen(0, "127.0.0.1", () => {
    console.log(JSON.stringify({ url: `http://127.0.0.1:${http.address().port}/mcp` }));
  });
}

if (flags.includes("--http")) listen();
else await serve().connect(new StdioServerTransport());
