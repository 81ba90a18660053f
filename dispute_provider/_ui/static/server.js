// Requests to Airflow, in the user's own name.

/** Airflow refused: the user is not logged in, or lacks the permission. */
export class Refused extends Error {
  constructor(message, status) {
    super(message);
    this.status = status;
  }
}

const EXPIRED = "Your session has expired. Log in to Airflow and reload this page.";
const HIDDEN = "You don't have permission to see this evidence. Only users who can respond to the review can see it.";

/** Returns the content of a path below this page; a body is posted as JSON, and changes nothing. */
export async function ask(path, body) {
  const answer = await fetch(path, body && { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
  const content = await answer.json().catch(() => ({}));
  if (answer.ok) return content;
  if (answer.status === 401) throw new Refused(EXPIRED, 401);
  if (answer.status === 403) throw new Refused(HIDDEN, 403);
  throw Object.assign(new Error(sentence(content.detail, `Airflow returned status ${answer.status}.`)), { status: answer.status });
}

/** Answers a review through Airflow's own API; returns the status, and Airflow's reason if it refused. */
export function respond(review, answer) {
  const [dag, run, task] = [review.dag_id, review.run_id, review.task_id].map(encodeURIComponent);
  return write("PATCH", `dags/${dag}/dagRuns/${run}/taskInstances/${task}/${review.map_index}/hitlDetails`, answer);
}

/** Starts a run of a DAG; its parameters have their defaults unless `conf` has them. */
export function trigger(dag, conf = {}) {
  return write("POST", `dags/${encodeURIComponent(dag)}/dagRuns`, { logical_date: null, conf });
}

/** Calls Airflow's own API; returns the status, the content, and Airflow's reason if it refused. */
export async function write(method, path, body) {
  const response = await fetch(`../api/v2/${path}`, {
    method,
    headers: { "Content-Type": "application/json" },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  const content = await response.json().catch(() => ({}));
  return { status: response.status, content, reason: response.ok ? "" : sentence(content.detail, `Airflow returned status ${response.status}.`) };
}

/** Returns the address of a task below this page. */
export function addressOf(task) {
  const [dag, run, name] = [task.dag_id, task.run_id, task.task_id].map(encodeURIComponent);
  return `dags/${dag}/runs/${run}/tasks/${name}/${task.map_index}`;
}

export function sentence(detail, otherwise = "Airflow returned an unexpected response") {
  return typeof detail === "string" ? detail : otherwise;
}
