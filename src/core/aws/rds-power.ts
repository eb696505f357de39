/** RDS: stopping and starting a database instance. */

import { RDSClient, StartDBInstanceCommand, StopDBInstanceCommand } from '@aws-sdk/client-rds';
import { type AwsSession, ask, clientOf } from './session.ts';

const clientFor = clientOf((options) => new RDSClient(options));

export async function stopInstance(session: AwsSession, id: string): Promise<void> {
  await ask(session, 'rds:StopDBInstance', `stopping the database ${id}`, (options) =>
    clientFor(session).send(new StopDBInstanceCommand({ DBInstanceIdentifier: id }), options),
  );
}

export async function startInstance(session: AwsSession, id: string): Promise<void> {
  await ask(session, 'rds:StartDBInstance', `starting the database ${id}`, (options) =>
    clientFor(session).send(new StartDBInstanceCommand({ DBInstanceIdentifier: id }), options),
  );
}
