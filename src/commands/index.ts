/** The table of commands: what `cdc help` lists. A command's file is read only when the command is. */

import type { CommandEntry } from '../cli/command.ts';

const MAKE = 'Make a pipeline';
const RUN = 'Run it';
const LOOK = 'Look at it';
const REST = 'And';

export const COMMANDS: readonly CommandEntry[] = [
  {
    name: 'init',
    summary: 'make a pipeline: cdc.yaml, the server, the folders',
    group: MAKE,
    load: () => import('./init.ts').then((file) => file.command),
  },
  {
    name: 'plan',
    summary: 'show what init would make',
    group: MAKE,
    load: () => import('./plan.ts').then((file) => file.command),
  },
  {
    name: 'check',
    summary: 'find what stands in the way, each finding with its fix',
    group: MAKE,
    load: () => import('./check.ts').then((file) => file.command),
  },
  {
    name: 'load',
    summary: 'run a dump or any SQL on the source',
    group: MAKE,
    load: () => import('./load.ts').then((file) => file.command),
  },
  {
    name: 'replicate',
    summary: 'copy the tables, then follow their changes',
    group: RUN,
    load: () => import('./replicate.ts').then((file) => file.command),
  },
  {
    name: 'merge',
    summary: 'apply change files to the lake tables',
    group: RUN,
    load: () => import('./merge.ts').then((file) => file.command),
  },
  {
    name: 'trigger',
    summary: 'hand one file to the merge as if it had just arrived',
    group: RUN,
    load: () => import('./trigger.ts').then((file) => file.command),
  },
  {
    name: 'stop',
    summary: 'stop the worker and the private server',
    group: RUN,
    load: () => import('./stop.ts').then((file) => file.command),
  },
  {
    name: 'start',
    summary: 'start them again where they stopped',
    group: RUN,
    load: () => import('./start.ts').then((file) => file.command),
  },
  {
    name: 'reload',
    summary: 'copy a table anew',
    group: RUN,
    load: () => import('./reload.ts').then((file) => file.command),
  },
  {
    name: 'destroy',
    summary: 'remove what init made',
    group: RUN,
    load: () => import('./destroy.ts').then((file) => file.command),
  },
  {
    name: 'status',
    summary: 'position, lag, rows and last error of each table',
    group: LOOK,
    load: () => import('./status.ts').then((file) => file.command),
  },
  {
    name: 'files',
    summary: 'list the change files in staging',
    group: LOOK,
    load: () => import('./files.ts').then((file) => file.command),
  },
  {
    name: 'show',
    summary: 'print the changes in a change file',
    group: LOOK,
    load: () => import('./show.ts').then((file) => file.command),
  },
  {
    name: 'query',
    summary: 'read the lake tables with SQL',
    group: LOOK,
    load: () => import('./query.ts').then((file) => file.command),
  },
  {
    name: 'verify',
    summary: 'compare the lake tables with the source',
    group: LOOK,
    load: () => import('./verify.ts').then((file) => file.command),
  },
  {
    name: 'logs',
    summary: "print the worker's log",
    group: LOOK,
    load: () => import('./logs.ts').then((file) => file.command),
  },
  {
    name: 'demo',
    summary: 'the whole walk on this machine, step by step',
    group: REST,
    load: () => import('./demo.ts').then((file) => file.command),
  },
  {
    name: 'explain',
    summary: 'what an error code means, and what to do',
    group: REST,
    load: () => import('./explain.ts').then((file) => file.command),
  },
  {
    name: 'completion',
    summary: 'print the completion script of a shell',
    group: REST,
    load: () => import('./completion.ts').then((file) => file.command),
  },
];
