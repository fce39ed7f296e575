// The fixture for protocol 2025-11-25, on the TypeScript SDK v1: over stdio, or over HTTP (--http; prints its URL).
//
//     node legacy_server.mjs FOLDER [--http]
//
// FOLDER holds node_modules. What is offered is in offer.json; its questions are requests in the middle of a call.
import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { setTimeout as pause } from "node:timers/promises";

const [folder, ...flags] = process.argv.slice(2);
const need = createRequire(`${folder}/`);
const { Server } = need("@modelcontextprotocol/sdk/server/index.js");
const { StdioServerTransport } = need("@modelcontextprotocol/sdk/server/stdio.js");
const { StreamableHTTPServerTransport } = need("@modelcontextprotocol/sdk/server/streamableHttp.js");
const types = need("@modelcontextprotocol/sdk/types.js");

const OFFER = JSON.parse(readFileSync(new URL("offer.json", import.meta.url), "utf8"));
const CAPABILITIES = {
  tools: { listChanged: true },
  prompts: { listChanged: true },
  resources: { subscribe: true, listChanged: true },
  logging: {},
  completions: {},
};
const LEVELS = types.LoggingLevelSchema.options;
const QUESTIONS = {
  "elicitation/create": ["elicitation", types.ElicitResultSchema],
  "sampling/createMessage": ["sampling", types.CreateMessageResultSchema],
  "roots/list": ["roots", types.ListRootsResultSchema],
};
const RESOURCE_NOT_FOUND = -32002;

/** Return a copy in which {name} stands for the value of that name. */
function fill(part, values) {
  if (typeof part === "string") return part.replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
  if (Array.isArray(part)) return part.map((inner) => fill(inner, values));
  if (typeof part !== "object" || part === null) return part;
  return Object.fromEntries(Object.entries(part).map(([key, value]) => [key, fill(value, values)]));
}

function contents(uri) {
  const resource = OFFER.resources.find(({ definition }) => definition.uri === uri);
  if (resource) return [{ uri, ...resource.contents }];
  const id = /^test:\/\/template\/([^/]+)\/data$/.exec(uri)?.[1];
  return id === undefined ? undefined : [{ uri, ...fill(OFFER.template.contents, { id }) }];
}

/** One conversation: what it offers, and how far its client wants to hear of it. */
class Conversation {
  constructor() {
    this.level = "debug";
    this.shelves = { tools: byName(OFFER.tools), prompts: byName(OFFER.prompts) };
    this.subscribed = new Set();
    this.server = new Server({ name: "legacy-fixture", version: "1.0" }, { capabilities: CAPABILITIES });
    const on = (schema, answer) => this.server.setRequestHandler(schema, answer);
    on(types.ListToolsRequestSchema, () => ({ tools: this.definitions("tools") }));
    on(types.ListPromptsRequestSchema, () => ({ prompts: this.definitions("prompts") }));
    on(types.ListResourcesRequestSchema, () => ({ resources: OFFER.resources.map((each) => each.definition) }));
    on(types.ListResourceTemplatesRequestSchema, () => ({ resourceTemplates: [OFFER.template.definition] }));
    on(types.CallToolRequestSchema, ({ params }, extra) => this.call(params, extra));
    on(types.GetPromptRequestSchema, ({ params }, extra) => this.prompt(params, extra));
    on(types.ReadResourceRequestSchema, ({ params }) => this.read(params.uri));
    on(types.CompleteRequestSchema, ({ params }) => this.complete(params.argument.value));
    on(types.SetLevelRequestSchema, ({ params }) => this.done(() => (this.level = params.level)));
    on(types.SubscribeRequestSchema, ({ params }) => this.done(() => this.subscribed.add(params.uri)));
    on(types.UnsubscribeRequestSchema, ({ params }) => this.done(() => this.subscribed.delete(params.uri)));
  }

  definitions(kind) {
    return [...this.shelves[kind].values()].map(({ definition }) => definition);
  }

  done(act) {
    act();
    return {};
  }

  async call(params, extra) {
    const entry = this.found("tools", params.name);
    try {
      const heard = await this.perform(entry, params, extra);
      return heard ? { content: [{ type: "text", text: heard }] } : entry.result;
    } catch (error) {
      return { content: [{ type: "text", text: String(error) }], isError: true };
    }
  }

  async prompt(params, extra) {
    const entry = this.found("prompts", params.name);
    const heard = await this.perform(entry, params, extra);
    if (heard) return { messages: [{ role: "user", content: { type: "text", text: heard } }] };
    return fill(entry.result, params.arguments ?? {});
  }

  read(uri) {
    const held = contents(uri);
    if (held === undefined) throw new types.McpError(RESOURCE_NOT_FOUND, "Resource not found", { uri });
    return { contents: held };
  }

  complete(begun) {
    const values = OFFER.completions.filter((value) => value.startsWith(begun));
    return { completion: { values, total: values.length, hasMore: false } };
  }

  found(kind, name) {
    const entry = this.shelves[kind].get(name);
    if (entry === undefined) throw new types.McpError(types.ErrorCode.InvalidParams, `Unknown name: ${name}`);
    return entry;
  }

  /** Do what an entry says: notify, change a list, ask. Returns the answers as text, if anything was asked. */
  async perform(entry, params, extra) {
    for (const data of entry.logs ?? []) {
      if (LEVELS.indexOf("info") >= LEVELS.indexOf(this.level)) {
        await extra.sendNotification({ method: "notifications/message", params: { level: "info", data } });
      }
      await pause(20);
    }
    const progressToken = extra._meta?.progressToken;
    for (const progress of progressToken === undefined ? [] : (entry.progress ?? [])) {
      await extra.sendNotification({ method: "notifications/progress", params: { progressToken, progress, total: 100 } });
      await pause(20);
    }
    if (entry.toggles) await this.toggle(entry.toggles);
    if (!entry.rounds) return undefined;
    const heard = {};
    for (const round of entry.rounds) {
      const asked = Object.entries(round).map(async ([key, question]) => {
        heard[key] = await this.ask(fill(question, params.arguments ?? {}), extra);
      });
      const failed = (await Promise.allSettled(asked)).filter(({ status }) => status === "rejected");
      if (failed.length > (entry.optional ? asked.length - 1 : 0)) throw failed[0].reason;
    }
    return JSON.stringify(heard);
  }

  async toggle(kind) {
    const entry = OFFER.toggled[kind];
    const shelf = this.shelves[kind];
    if (!shelf.delete(entry.definition.name)) shelf.set(entry.definition.name, entry);
    await (kind === "tools" ? this.server.sendToolListChanged() : this.server.sendPromptListChanged());
  }

  async ask(question, extra) {
    const [capability, schema] = QUESTIONS[question.method];
    if (!this.server.getClientCapabilities()?.[capability]) throw new Error(`the client does not declare ${capability}`);
    return extra.sendRequest(question, schema);
  }
}

function byName(entries) {
  return new Map(entries.map((entry) => [entry.definition.name, entry]));
}

function listen() {
  const sessions = new Map();
  const http = createServer(async (request, response) => {
    const ident = request.headers["mcp-session-id"];
    let transport = sessions.get(ident);
    if (ident !== undefined && transport === undefined) return response.writeHead(404).end();
    if (transport === undefined) {
      const host = `127.0.0.1:${http.address().port}`;
      transport = new StreamableHTTPServerTransport({
        sessionIdGenerator: randomUUID,
        onsessioninitialized: (opened) => sessions.set(opened, transport),
        onsessionclosed: (closed) => sessions.delete(closed),
        enableDnsRebindingProtection: true,
        allowedHosts: [host],
        allowedOrigins: [`http://${host}`],
      });
      await new Conversation().server.connect(transport);
    }
    return transport.handleRequest(request, response);
  });
  http.listen(0, "127.0.0.1", () => {
    console.log(JSON.stringify({ url: `http://127.0.0.1:${http.address().port}/mcp` }));
  });
}

if (flags.includes("--http")) listen();
else await new Conversation().server.connect(new StdioServerTransport());
