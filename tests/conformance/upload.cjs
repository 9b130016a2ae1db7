// One upload with tus-js-client. Arguments: the folder of its packages, and a wish as JSON:
// {endpoint, headers, metadata, file, options, abortAt}. Prints what became of it as JSON.
const fs = require("node:fs");
const path = require("node:path");

const [folder, wish] = [process.argv[2], JSON.parse(process.argv[3])];
const tus = require(path.join(folder, "node_modules", "tus-js-client"));

const tell = (result) => {
  process.stdout.write(JSON.stringify(result));
  process.exit(0);
};

const upload = new tus.Upload(fs.readFileSync(wish.file), {
  endpoint: wish.endpoint,
  headers: wish.headers,
  metadata: wish.metadata,
  retryDelays: Array(40).fill(50),
  ...wish.options,
  onError: (error) => tell({ error: String(error) }),
  onSuccess: () => tell({ url: upload.url }),
  onProgress: (sent) => {
    if (wish.abortAt && sent >= wish.abortAt) {
      wish.abortAt = 0;
      upload.abort(true).then(() => tell({ aborted: upload.url }), (error) => tell({ error: String(error) }));
    }
  },
});
upload.start();
