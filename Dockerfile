FROM python:3.13-slim
WORKDIR /app
COPY requirements.txt .
RUN pip install --no-cache-dir -r requirements.txt
COPY . .
RUN python -m explainer.fragments.catalogs
CMD ["python", "manage.py", "up"]
