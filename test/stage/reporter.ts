import type { Reporter, TestModule, Vitest } from 'vitest/node'

/** Ends the output with one plain line for whoever reads only that: `N passed, N failed`. */
export class PlainTotals implements Reporter {
  #vitest: Vitest | null = null

  onInit(vitest: Vitest): void {
    this.#vitest = vitest
  }

  onTestRunEnd(modules: readonly TestModule[], errors: readonly unknown[]): void {
    // With `-t` those that were not asked for are skipped.
    const is_chosen = this.#vitest?.config.testNamePattern !== undefined
    let passed = 0
    let failed = errors.length
    for (const module of modules) {
      // A file that could not even be loaded has no tests to count, and is a failure all the same.
      if (module.errors().length > 0) failed += 1
      // Nor does a journey whose book does not agree at its end: what fails there is no test, and a failure all the same.
      for (const suite of module.children.allSuites()) if (suite.errors().length > 0) failed += 1
      for (const test of module.children.allTests()) {
        const { state } = test.result()
        if (state === 'passed') passed += 1
        // What nobody asked to leave out and did not run proves nothing: it counts as failed.
        else if (state !== 'skipped' || !is_chosen) failed += 1
      }
    }
    // After the default reporter's own summary, which is written when the run ends.
    process.once('beforeExit', () => undefined)
    setImmediate(() => process.stdout.write(`\n${passed} passed, ${failed} failed\n`))
  }
}

// vitest loads a reporter by its default export.
export { PlainTotals as default }
