// Order of the folders: store, rendering, models, market; providers, payments; serving, receipts; middleware, schemas; routes; app, start.
export { type AppDeps, type AppOptions, createApp } from "./app.ts";
export { type GatewayConfig, gatewayConfig } from "./config.ts";
export { askRunning } from "./control/client.ts";
export { type GatewayKey, openKeystore, readPasswordFile } from "./keystore.ts";
export { openApiDocument } from "./openapi.ts";
export { type RunningGateway, type StartDeps, startGateway } from "./start.ts";
export { createApiKey, listApiKeys, revokeApiKey } from "./store/apiKeys.ts";
export { type Database, openStore } from "./store/open.ts";
