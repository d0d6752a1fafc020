for (const name of ["web", "mobile"]) {
  fetch(`/${name}/home`).then(r => r.json()).then(j => { document.getElementById(name).textContent = JSON.stringify(j, null, 2); });
}
