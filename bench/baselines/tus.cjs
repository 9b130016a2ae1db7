// The reference server for tus uploads with its file store. Arguments: folder, port, where its
// packages are, path.
const { createRequire } = require("node:module");
const [folder, port, modules, path = "/files"] = process.argv.slice(2);
const load = createRequire(modules + "/");
const { Server } = load("@tus/server");
const { FileStore } = load("@tus/file-store");
const server = new Server({ path, datastore: new FileStore({ directory: folder }) });
server.listen({ host: "127.0.0.1", port: Number(port) });
