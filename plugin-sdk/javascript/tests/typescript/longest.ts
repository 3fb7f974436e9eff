export function longest(...durations: bigint[]): bigint {
  return durations.reduce((one, other) => (one > other ? one : other));
}
