# [web/production] before the prompt, asked for once a shell. bash does not read what the variable holds as code.
fettle_prompt=$(fettle prompt 2>/dev/null)
PS1='${fettle_prompt:+[$fettle_prompt] }'$PS1
