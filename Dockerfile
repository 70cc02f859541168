# One image for web, worker, beat and migrate; docker-compose.yml says which of them it is.
FROM python:3.12-slim AS packages
COPY requirements.txt /tmp/requirements.txt
RUN python -m venv /opt/venv \
 && /opt/venv/bin/pip install --no-cache-dir --require-hashes -r /tmp/requirements.txt

FROM python:3.12-slim
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    PORTAL_MODE=production \
    PORTAL_VAR=/var/lib/portal \
    FONTS_DIR=/opt/fonts
RUN useradd --system --uid 10001 --home-dir /var/lib/portal --create-home portal
COPY --from=packages /opt/venv /opt/venv
WORKDIR /app
COPY catalogue catalogue
COPY workers workers
COPY templates templates
COPY seeds seeds
COPY wsgi.py ./
# Cutting the fonts takes seconds, so it is done once here and not in every container.
RUN python -c "from pathlib import Path; from catalogue.documents import fonts; fonts.prepare(Path('/opt/fonts'))" \
 && chmod -R a+rX /opt/fonts
USER portal
EXPOSE 8000
CMD ["python", "-m", "granian", "--interface", "wsgi", "wsgi:app", "--host", "0.0.0.0", "--port", "8000", "--workers", "2", "--blocking-threads", "4", "--no-ws"]
