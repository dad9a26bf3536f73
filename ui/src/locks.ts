// Locks among the tabs of one browser (Web Locks API): where there are none, two tabs may send the same bytes, which
// harms nothing.
import { stopped, type Locks } from "./contract.js";

export function tabLocks(manager: LockManager | undefined): Locks | undefined {
  if (!manager) return undefined; // plain http from another computer
  return (name, signal, elsewhere) =>
    new Promise((resolve, reject) => {
      const hold = () => new Promise<void>((release) => resolve(release));
      const free = manager.request(name, { ifAvailable: true }, (lock) => (lock ? hold().then(() => true) : false));
      const queue = (got: boolean) => {
        if (got) return undefined;
        elsewhere();
        return manager.request(name, { signal }, hold);
      };
      free.then(queue).catch(() => reject(stopped()));
    });
}
