// Live pages: everything here is shown by the server too; this only saves the reload.
(function () {
  const log = document.getElementById('log');
  if (!log) {
    const table = document.querySelector('[data-refresh]');
    if (table && !location.search.includes('before=')) {
      setInterval(async () => {
        if (document.hidden) return;
        const answer = await fetch(location.href).catch(() => null);
        if (!answer || !answer.ok) return;
        const fresh = new DOMParser().parseFromString(await answer.text(), 'text/html').querySelector('[data-refresh]');
        if (fresh) document.querySelector('[data-refresh]').replaceWith(fresh);
      }, 3000);
    }
    return;
  }
  const follow = document.getElementById('follow');
  const down = () => { if (follow.checked && !location.hash) log.scrollTop = log.scrollHeight; };
  down();
  if (log.dataset.final === 'true') return;
  // The browser sends Last-Event-ID by itself when it connects again.
  const source = new EventSource('/api/builds/' + log.dataset.build + '/log/stream?after=' + log.dataset.after);
  const add = (seq, stage, fill) => {
    if (document.getElementById('L' + seq)) return;
    const line = document.createElement('span');
    line.id = 'L' + seq;
    line.className = 'line ' + (stage || '');
    const number = document.createElement('a');
    number.href = '#L' + seq;
    number.textContent = seq;
    line.append(number);
    fill(line);
    line.append('\n');
    log.append(line);
  };
  source.addEventListener('line', (event) => {
    const data = JSON.parse(event.data);
    // `html` is escaped by the server; only its own <span class="ansi-…"> are tags.
    add(data.seq, data.stage, (line) => line.insertAdjacentHTML('beforeend', data.html));
    down();
  });
  source.addEventListener('dropped', (event) => {
    const data = JSON.parse(event.data);
    add(data.last_seq, '', (line) => line.append('… ' + (data.last_seq - data.first_seq + 1) + ' lines were too many and are dropped …'));
  });
  source.addEventListener('state', (event) => {
    const data = JSON.parse(event.data);
    const chip = document.getElementById('state');
    chip.textContent = data.state;
    chip.className = 'chip ' + data.state;
    const titles = { checkout: 'Checkout', unit_test: 'Unit test', package: 'Package', dockerfile: 'Dockerfile', image: 'Image', push: 'Push' };
    document.getElementById('stages').replaceChildren(...data.stages.map((stage) => {
      const item = document.createElement('li');
      item.className = stage.state;
      const part = (tag, text) => { const element = document.createElement(tag); element.textContent = text; return element; };
      const time = stage.millis === null ? '…' : (stage.millis / 1000).toFixed(1) + ' s';
      item.append(part('span', titles[stage.stage]), ' ', part('span', time), ' ', part('small', stage.note || ''));
      return item;
    }));
  });
  source.addEventListener('end', () => { source.close(); location.reload(); });
})();
