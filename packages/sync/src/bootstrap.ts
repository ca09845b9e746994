export {
  bootstrapLayoutOfRunc,
  bootstrapLayouts,
  type BootstrapAttribute,
  type BootstrapLayout,
  type BootstrapLayoutName,
} from './bootstrap/bootstrap-layout.ts';
export {
  namespaceCloneFlags,
  namespaceTypes,
  type BootstrapMessage,
  type IdMapping,
  type NamespacePath,
  type NamespaceType,
  type TimeOffset,
} from './bootstrap/bootstrap-message.ts';
export {
  cgroupNamespaceGo,
  ChildAnswerReader,
  encodeChildAnswer,
  type ChildAnswer,
  type ReadChildAnswer,
} from './bootstrap/child-answer.ts';
export {
  bootstrapLength,
  decodeBootstrap,
  type DecodedBootstrap,
} from './bootstrap/decode-bootstrap.ts';
export {
  bootstrapFlags,
  bootstrapType,
  encodeBootstrap,
  maxAttributeBytes,
} from './bootstrap/encode-bootstrap.ts';
