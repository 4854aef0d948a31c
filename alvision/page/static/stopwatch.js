// How long an image, or a grid of them, was on a visible page.

export class Stopwatch {
  #sum = 0;
  #since = performance.now();

  constructor() {
    document.addEventListener("visibilitychange", () => {
      if (document.hidden) this.#sum += performance.now() - this.#since;
      else this.#since = performance.now();
    });
  }

  start() {
    this.#sum = 0;
    this.#since = performance.now();
  }

  seconds() {
    const running = document.hidden ? 0 : performance.now() - this.#since;
    return Math.round(this.#sum + running) / 1000;
  }
}
