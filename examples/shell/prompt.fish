# [web/production] before the prompt, asked for once a shell.
set -g fettle_prompt (fettle prompt 2>/dev/null)
functions -q fettle_old_prompt; or functions -c fish_prompt fettle_old_prompt
function fish_prompt
    test -n "$fettle_prompt"; and echo -n "[$fettle_prompt] "
    fettle_old_prompt
end
