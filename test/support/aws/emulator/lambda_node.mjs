// node lambda_node.mjs FOLDER HANDLER OUT: runs a function of Node on the event at stdin, its answer or error to OUT.
import fs from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';

const [folder, handler, out] = process.argv.slice(2);
const [file, name] = handler.split(/\.(?=[^.]*$)/);
const started = Date.now();

function put(ended) {
  fs.writeFileSync(out, JSON.stringify(ended));
  process.exit(0);
}

function fail(error) {
  console.error(error?.stack ?? String(error));
  const trace = String(error?.stack ?? '').split('\n');
  put({ error: { errorType: error?.name ?? 'Error', errorMessage: error?.message ?? String(error), trace } });
}

process.on('uncaughtException', fail);
process.on('unhandledRejection', fail);
try {
  const event = JSON.parse(fs.readFileSync(0, 'utf8'));
  const found = ['.mjs', '.js', '.cjs'].map((ending) => path.join(folder, file + ending)).find(fs.existsSync);
  if (!found) throw Object.assign(new Error(`Cannot find module '${file}'`), { name: 'Runtime.ImportModuleError' });
  const module = await import(pathToFileURL(found));
  const run = module[name] ?? module.default?.[name];
  if (typeof run !== 'function')
    throw Object.assign(new Error(`${handler} is undefined or not exported`), { name: 'Runtime.HandlerNotFound' });
  const { env } = process;
  const context = {
    functionName: env.AWS_LAMBDA_FUNCTION_NAME,
    functionVersion: '$LATEST',
    memoryLimitInMB: env.AWS_LAMBDA_FUNCTION_MEMORY_SIZE,
    awsRequestId: env.EMULATOR_REQUEST,
    invokedFunctionArn: env.EMULATOR_ARN,
    logGroupName: env.AWS_LAMBDA_LOG_GROUP_NAME,
    logStreamName: 'emulator',
    getRemainingTimeInMillis: () => Math.max(0, Number(env.EMULATOR_TIMEOUT) * 1000 - (Date.now() - started)),
    callbackWaitsForEmptyEventLoop: false,
  };
  const result =
    run.length >= 3
      ? await new Promise((resolve, reject) =>
          run(event, context, (error, value) => (error ? reject(error) : resolve(value))),
        )
      : await run(event, context);
  put({ result: result === undefined ? null : result });
} catch (error) {
  fail(error);
}
