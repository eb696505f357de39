/** A table's columns and the schema string that states them. */

import { z } from 'zod';
import type { DeltaType } from '../column-type.ts';
import { CdcError } from '../errors.ts';
import { parseRawJson, rawJson } from './raw-json.ts';

/** A column of a lake table. */
export interface LakeColumn {
  lake: string;
  delta: DeltaType;
}

/** A column as a schema string has it, whoever wrote it. */
export interface SchemaField {
  name: string;
  /** undefined for a type that this version cannot write (nested, timestamp_ntz, variant …). */
  delta: DeltaType | undefined;
  /** The type's text, for messages. */
  type: string;
  nullable: boolean;
  metadata: Record<string, unknown>;
}

const structType = z.looseObject({
  type: z.literal('struct'),
  fields: z.array(
    z.looseObject({
      name: z.string(),
      type: z.unknown(),
      nullable: z.boolean().default(true),
      metadata: z.record(z.string(), z.unknown()).default({}),
    }),
  ),
});

const PRIMITIVE = /^(byte|short|integer|long|float|double|boolean|string|binary|date|timestamp|decimal\(\d+,\d+\))$/;

function isDeltaType(type: string): type is DeltaType {
  return PRIMITIVE.test(type);
}

/** Every column is nullable: NOT NULL would oblige each writer to check it (delta.md 1.3). */
export function formatSchema(columns: readonly LakeColumn[]): string {
  return JSON.stringify({ type: 'struct', fields: columns.map(fieldOf) });
}

function fieldOf(column: LakeColumn) {
  return { name: column.lake, type: column.delta, nullable: true, metadata: {} };
}

/** Throws CdcError `lake.corrupt` for a text that is no schema. */
export function parseSchema(schemaString: string): SchemaField[] {
  return readStruct(schemaString).fields.map(({ name, type, nullable, metadata }) => {
    const typeText = typeof type === 'string' ? type : JSON.stringify(type);
    return { name, type: typeText, delta: isDeltaType(typeText) ? typeText : undefined, nullable, metadata };
  });
}

/** The schema with further columns at its end; what stands there is kept as it is. */
export function addColumns(schemaString: string, columns: readonly LakeColumn[]): string {
  const struct = readStruct(schemaString);
  return rawJson({ ...struct, fields: [...struct.fields, ...columns.map(fieldOf)] });
}

function readStruct(schemaString: string): z.infer<typeof structType> {
  try {
    return structType.parse(parseRawJson(schemaString));
  } catch (error) {
    throw new CdcError('lake.corrupt', "reading the table's schema: it is not a Delta schema", { cause: error });
  }
}
