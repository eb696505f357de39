/** Two waits at once, of which neither is left behind. */

/** Like Promise.all, but when one fails the other is still waited for: nothing goes on after the command has ended. */
export async function together<A, B>(first: Promise<A>, second: Promise<B>): Promise<[A, B]> {
  await Promise.allSettled([first, second]);
  return [await first, await second];
}
