export {
  syncChannelCompliance,
  type CompliancePair,
  type ComplianceRunner,
  type ComplianceSubject,
} from './testing/compliance.ts';
export { memoryChannelPair, type MemoryChannelPair } from './testing/memory-channel.ts';
export { MemoryFileTable, type MemoryFile } from './testing/memory-file.ts';
export { memoryStreamPair, type MemoryStreamPair, type Splitter } from './testing/memory-stream.ts';
