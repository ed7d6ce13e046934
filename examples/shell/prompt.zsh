# [web/production] before the prompt, asked for once a shell.
fettle_prompt=$(fettle prompt 2>/dev/null)
PROMPT="${fettle_prompt:+[$fettle_prompt] }$PROMPT"
