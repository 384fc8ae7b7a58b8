export * from '@epckit/nowhere';
