import { describe, expect, it } from 'vitest';
import { syncChannelCompliance } from './compliance.ts';
import { memoryChannelPair } from './memory-channel.ts';
import { MemoryFileTable } from './memory-file.ts';

const files = new MemoryFileTable();

syncChannelCompliance(
  {
    name: 'memoryChannelPair',
    openFiles: () => files.openCount,
    makePair: () => {
      const { parent, child, sendRaw } = memoryChannelPair(files);
      return {
        parent,
        child,
        sendRaw,
        makeFile: () => files.open(),
        sameFile: (one, other) => one.description === other.description,
        closeFile: (file) => file[Symbol.dispose](),
        dispose: () => {
          parent.close();
          child.close();
        },
      };
    },
  },
  { describe, it, expect },
);
