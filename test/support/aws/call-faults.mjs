/**
 * Sits in every client of the AWS SDK of this process: counts the calls (a command sent is one, however often the SDK
 * tries it), hands each to a recorder, and lets chosen ones go wrong as they go wrong in the field.
 */

import { STSClient } from '@aws-sdk/client-sts';

/** The class that every client of the SDK is made from. */
const Client = Object.getPrototypeOf(STSClient);

let installed = false;

export function installCallFaults({ onCall = () => {}, onFault = () => {}, faults = [], end = process }) {
  if (installed) throw new Error('call faults are installed already');
  installed = true;
  const send = Client.prototype.send;
  const armed = faults.map((fault) => ({ ...fault, met: 0, fired: false, target: undefined }));
  let count = 0;

  Client.prototype.send = function (command, options, callback) {
    const service = serviceOf(this);
    const operation = command.constructor.name.replace(/Command$/, '');
    const call = ++count;
    onCall({ call, service, operation, input: shapeOf(command.input) });
    for (const fault of armed) {
      if (!strikes(fault, call, service, operation)) continue;
      const report = (attempt) => {
        fault.fired = true;
        onFault({ kind: fault.kind, call, service, operation, attempt });
      };
      command.middlewareStack.add(
        (next) => {
          let attempt = 0;
          return (args) => goWrong({ fault, service, operation, attempt: ++attempt, next, args, report, end });
        },
        // The innermost: within the SDK's retries, and what it answers is read as a reply from the wire.
        { step: 'deserialize', priority: 'low', name: `fault-${fault.kind}-${call}` },
      );
      // With options of its own the call is not made by a handler that the client has kept from before.
      options ??= {};
    }
    return send.call(this, command, options, callback);
  };
  return {
    /** Calls so far. */
    count: () => count,
    uninstall() {
      Client.prototype.send = send;
      installed = false;
    },
  };
}

/** Credentials that have run out fail every call from then on; a right that is missing, every call that needs it. */
function strikes(fault, call, service, operation) {
  const named = `${service}:${operation}`;
  if (fault.fired) {
    if (fault.kind === 'expired') return true;
    if (fault.kind === 'denied') return fault.target === named;
    return false;
  }
  const matches = fault.operation === undefined || fault.operation === named;
  if (!matches) return false;
  fault.met++;
  const due = fault.operation === undefined ? call === fault.call : fault.met === (fault.call ?? 1);
  if (due) fault.target = named;
  return due;
}

async function goWrong({ fault, service, operation, attempt, next, args, report, end }) {
  switch (fault.kind) {
    case 'lost-reply':
      if (attempt > 1) return next(args);
      return lose(await next(args), report, attempt);
    case 'lost-for-good':
      return lose(await next(args), report, attempt);
    case 'abort':
      report(attempt);
      throw networkError('connect ENETUNREACH', 'ENETUNREACH');
    case 'throttle':
      if (attempt > 1) return next(args);
      report(attempt);
      return refusal(args.request, THROTTLED[service] ?? THROTTLED.other, 'Rate exceeded');
    case 'throttle-for-good':
      report(attempt);
      return refusal(args.request, THROTTLED[service] ?? THROTTLED.other, 'Rate exceeded');
    case 'denied': {
      report(attempt);
      const action = `${service}:${operation}`;
      const says = `User: arn:aws:iam::123456789012:user/testing is not authorized to perform: ${action} because no identity-based policy allows the ${action} action`;
      return refusal(args.request, DENIED[service] ?? DENIED.other, says);
    }
    case 'expired':
      report(attempt);
      return refusal(
        args.request,
        EXPIRED[service] ?? EXPIRED.other,
        'The security token included in the request is expired',
      );
    case 'interrupt':
      if (attempt === 1) {
        report(attempt);
        end.kill(end.pid, 'SIGINT');
      }
      return next(args);
    case 'kill':
      report(attempt);
      end.kill(end.pid, 'SIGKILL');
      return next(args);
    case 'kill-after': {
      const reply = await next(args);
      report(attempt);
      end.kill(end.pid, 'SIGKILL');
      return reply;
    }
    default:
      throw new Error(`unknown fault ${fault.kind}`);
  }
}

/** AWS has done the work, and the connection breaks before the answer is there: the SDK takes that for worth a retry. */
function lose(reply, report, attempt) {
  reply.response?.body?.destroy?.();
  report(attempt);
  throw networkError('read ECONNRESET', 'ECONNRESET');
}

function networkError(message, code) {
  return Object.assign(new Error(message), { code, errno: -104, syscall: 'read' });
}

// As the services name them (microburst's catalogue and the services' "common errors" pages).
const THROTTLED = {
  ec2: [503, 'RequestLimitExceeded'],
  iam: [400, 'Throttling'],
  lambda: [429, 'TooManyRequestsException'],
  rds: [400, 'Throttling'],
  s3: [503, 'SlowDown'],
  sts: [400, 'Throttling'],
  tag: [400, 'ThrottledException'],
  other: [400, 'ThrottlingException'],
};
const DENIED = {
  ec2: [403, 'UnauthorizedOperation'],
  iam: [403, 'AccessDenied'],
  lambda: [403, 'AccessDeniedException'],
  rds: [403, 'AccessDenied'],
  s3: [403, 'AccessDenied'],
  sts: [403, 'AccessDenied'],
  other: [400, 'AccessDeniedException'],
};
const EXPIRED = {
  ec2: [400, 'RequestExpired'],
  iam: [403, 'ExpiredToken'],
  lambda: [403, 'ExpiredTokenException'],
  rds: [403, 'ExpiredToken'],
  s3: [400, 'ExpiredToken'],
  sts: [403, 'ExpiredToken'],
  other: [400, 'ExpiredTokenException'],
};

/** The error as the service puts it on the wire, in the protocol that the request speaks. */
function refusal(request, [statusCode, code], message) {
  const { hostname = '', headers } = request;
  const target = header(headers, 'x-amz-target');
  const type = header(headers, 'content-type') ?? '';
  const json = (body, more = {}) => reply(statusCode, { 'content-type': 'application/x-amz-json-1.1', ...more }, body);
  if (target !== undefined) return json(JSON.stringify({ __type: code, message }));
  const error = `<Code>${code}</Code><Message>${message}</Message>`;
  const id = '<RequestId>00000000-0000-0000-0000-000000000000</RequestId>';
  if (type.startsWith('application/x-www-form-urlencoded')) {
    const ec2 = String(request.body).includes('Version=2016-11-15');
    const body = ec2
      ? `<Response><Errors><Error>${error}</Error></Errors><RequestID>0</RequestID></Response>`
      : `<ErrorResponse><Error><Type>Sender</Type>${error}</Error>${id}</ErrorResponse>`;
    return reply(statusCode, { 'content-type': 'text/xml' }, body);
  }
  if (request.path?.startsWith('/20') || hostname.startsWith('lambda.'))
    return json(JSON.stringify({ message }), { 'x-amzn-errortype': code });
  // A HEAD has no body, so its error has no name.
  const body = request.method === 'HEAD' ? '' : `<?xml version="1.0"?><Error>${error}${id}</Error>`;
  return reply(statusCode, { 'content-type': 'application/xml' }, body);
}

function reply(statusCode, headers, body) {
  return { response: { statusCode, headers, body: new TextEncoder().encode(body) } };
}

function header(headers, name) {
  return Object.entries(headers).find(([key]) => key.toLowerCase() === name)?.[1];
}

/** As botocore calls them, which is also how IAM's actions begin, but for `dms`. */
const SERVICES = {
  'cloudwatch logs': 'logs',
  'database migration service': 'dms',
  'resource groups tagging api': 'tag',
  'secrets manager': 'secretsmanager',
};

function serviceOf(client) {
  const id = String(client.config.serviceId).toLowerCase();
  return SERVICES[id] ?? id;
}

const SECRET = /password$|^secret(string|binary)$/i;

/** What the oracle needs of an input: secrets keep their length only, bytes and dates become marks. */
function shapeOf(value, name = '') {
  if (typeof value === 'string') return SECRET.test(name) ? 'x'.repeat(value.length) : value;
  if (value instanceof Uint8Array) return { $bytes: value.length };
  if (value instanceof Date) return { $date: value.getTime() };
  if (typeof value?.pipe === 'function') return { $bytes: 0 };
  if (Array.isArray(value)) return value.map((item) => shapeOf(item));
  if (value === null || typeof value !== 'object') return value;
  const entries = Object.entries(value).filter(([, inner]) => inner !== undefined);
  return Object.fromEntries(entries.map(([key, inner]) => [key, shapeOf(inner, key)]));
}
