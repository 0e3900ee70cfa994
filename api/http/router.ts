import { Router } from '@koa/router'

/**
 * A router that answers exactly the addresses it is given: other letter cases and a slash at the end are other
 * addresses. What a proxy forbids by its own, exact rule would otherwise be reached under a second spelling.
 */
export function exactRouter(prefix = ''): Router {
  return new Router({ prefix, sensitive: true, strict: true })
}
