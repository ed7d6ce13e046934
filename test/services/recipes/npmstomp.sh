# stompit, a STOMP client of npm that speaks TCP, installed below our own folder. A node that is there already is taken, so that Debian's, with
# its three hundred packages, is only fetched where there is none.
packages=()
command -v node >/dev/null && command -v npm >/dev/null || packages=(nodejs npm)
within=60

start() {
  mkdir -p "$dir"
  [[ -e $dir/node_modules/stompit/package.json ]] ||
    npm install --prefix "$dir" --no-audit --no-fund --ignore-scripts --save-exact stompit@1.0.0 >"$log" 2>&1 || fail "could not install stompit"
}

ready() { NODE_PATH=$dir/node_modules node -e 'require("stompit")'; }

settings() {
  give NODE "$(command -v node)"
  give NPM_STOMP "$dir/node_modules"
}
